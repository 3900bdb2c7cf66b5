"""Writes the numbered .sql files named on the command line as rows of struct migration (migrations.h), in order."""
import os
import sys

output, *paths = sys.argv[1:]
with open(output, "w", encoding="ascii") as out:
    for number, path in enumerate(paths, start=1):
        name = os.path.basename(path)
        if int(name.split("_")[0]) != number:
            sys.exit(f"{name}: expected migration number {number:04}")
        out.write(f'{{{number}, "{name}",\n')
        with open(path, "rb") as sql:
            for line in sql:
                escaped = "".join(
                    chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in line
                )
                out.write(f' "{escaped}"\n')
        out.write("},\n")
