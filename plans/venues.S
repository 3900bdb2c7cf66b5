/* Puts the two plan files into the program as they are. The assembler finds them by -I. */
    .section .rodata
    .global venue_stadium_begin, venue_stadium_end, venue_theatre_begin, venue_theatre_end
    .hidden venue_stadium_begin
    .hidden venue_stadium_end
    .hidden venue_theatre_begin
    .hidden venue_theatre_end
venue_stadium_begin:
    .incbin "stadium.json"
venue_stadium_end:
venue_theatre_begin:
    .incbin "theatre.json"
venue_theatre_end:
    .section .note.GNU-stack, "", %progbits
