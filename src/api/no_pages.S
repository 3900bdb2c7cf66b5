/* A program without its pages: an empty list. */
    .section .rodata
    .balign 8
    .global embedded_pages
    .global embedded_pages_end
embedded_pages:
embedded_pages_end:
    .section .note.GNU-stack, "", @progbits
