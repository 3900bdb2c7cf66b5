/* Hands out the two venues that venues.S has put into the program. */
#include "venues.h"

extern const char venue_stadium_begin[], venue_stadium_end[];
extern const char venue_theatre_begin[], venue_theatre_end[];

struct bytes venue_stadium(void) {
    return (struct bytes){venue_stadium_begin, (size_t)(venue_stadium_end - venue_stadium_begin)};
}

struct bytes venue_theatre(void) {
    return (struct bytes){venue_theatre_begin, (size_t)(venue_theatre_end - venue_theatre_begin)};
}
