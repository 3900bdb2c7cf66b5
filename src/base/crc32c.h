/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4; by the SSE 4.2 instruction where the processor has it. */
#ifndef ONSALE_BASE_CRC32C_H
#define ONSALE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with crc = 0; feed the result back to go on. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);
/* The same, without that instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t length);

#endif
