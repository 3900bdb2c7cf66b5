/* The subcommands: each its own file, wiring only. */
#ifndef ONSALE_COMMANDS_COMMANDS_H
#define ONSALE_COMMANDS_COMMANDS_H

/* `arguments` are those behind the subcommand. The process's exit code: 0; 1 for a failure that was said; 2 for a call
 * that was not understood. */
int command_serve(int count, char **arguments);
int command_crowd(int count, char **arguments);
int command_sandbox(int count, char **arguments);
int command_import(int count, char **arguments);
int command_verify(int count, char **arguments);
int command_keys(int count, char **arguments);
int command_ticket(int count, char **arguments);
int command_forget(int count, char **arguments);
int command_migrate(int count, char **arguments);
int command_version(int count, char **arguments);

#endif
