/* What the keyring of token_world.h makes, generations 1 and 2, as texts that do not change: each was made again, or
 * checked, by other implementations (BLAKE2b of Python; SipHash, Ed25519 and SHA-256 in Node, which reads
 * these same lines in test/api/tokens.test.mjs). A queue ticket, a place's user hash or a shuffle's seed that came out
 * another way would void what an installation has on disk and what its fans carry. */
#ifndef ONSALE_TEST_TOKEN_VECTORS_H
#define ONSALE_TEST_TOKEN_VECTORS_H

#define VECTOR_NUMBER 4711
/* Beyond ASCII, and what JSON escapes. */
#define VECTOR_USER "Zo\xc3\xab \"quoted\" \\ \x01"
#define VECTOR_TICKET                                                                                                  \
    "q1.AgICAgECAwQFBgcICQoLDA0ODxAAABJnAaJQVQIoAQIDBAUGBwhab8OrICJxdW90ZWQiIFwgAdz7TUl_85rGxB60nBSwTjg"
#define VECTOR_PASS                                                                                                    \
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6IjAyMDIwMjAyIn0."                                                     \
    "eyJpc3MiOiJvbnNhbGUiLCJhdWQiOiIwMTAyMDMwNC0wNTA2LTA3MDgtMDkwYS0wYjBjMGQwZTBmMTAiLCJzdWIiOiJab8OrIFwicXVvdGVkXCIg" \
    "XFwgXHUwMDAxIiwianRpIjoiMDAwMDEyNjdhMDNkOTAwMTc0OTIxZmM5YjZhMDIwMzciLCJpYXQiOjE3OTY2NDQwNzgsImV4cCI6MTc5NjY0NDk3" \
    "OH0.PaxXew78WTU-4GruvQfDzeKTVWMhXKMhPGK2CjTvb9x75w01cANnEmgysvx5K98gf_AYbF_b8AxauOpkErNJBg"
#define VECTOR_JWKS                                                                                                    \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"0202"                 \
    "0202\",\"x\":\"T9CZzNR9eJPf6ewkQU7LDZtUICMqrTDZHEZb4zy-ZcQ\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519"                 \
    "\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"01010101\",\"x\":\"0uuZO2MUNSjnDc3H65yiEBDddpvpUl"                 \
    "DCxbq_rRXUWOI\"}]}"
#define VECTOR_USER_HASH UINT64_C(0xa6e7f74f0e5219fa)
#define VECTOR_SHUFFLE_SEED "830c37f907667263b0a9d4a6e8e78098099c76b554d4c97383654efe4cdaa15f"
#define VECTOR_CHALLENGE "p1.01c8e903.f63ffa5a6475424c2d9bf4f36b25a02a"
/* SHA-256(challenge "." user "." nonce) begins with VECTOR_PROOF_BITS zero bits, and not one more. */
#define VECTOR_NONCE "8722131"
#define VECTOR_PROOF_BITS 20

#endif
