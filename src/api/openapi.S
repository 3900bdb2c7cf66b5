/* docs/openapi.yaml, as it is: it is written in the part of YAML that is JSON. */
    .section .rodata
    .global openapi_document
    .global openapi_document_end
openapi_document:
    .incbin "openapi.yaml"
openapi_document_end:
    .section .note.GNU-stack, "", @progbits
