/* The two venues that come with onsale, in the program itself: plan documents in the full form (docs/plans.md), made by
 * make_venues.mjs. The texts are static.
 */
#ifndef ONSALE_PLANS_VENUES_H
#define ONSALE_PLANS_VENUES_H

#include "base/bytes.h"

struct bytes venue_stadium(void); /* 50,000 places */
struct bytes venue_theatre(void); /* 600 seats */

#endif
