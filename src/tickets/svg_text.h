/* Names that anybody may have chosen, as text of an SVG document: escaped, and broken into lines that fit.
 *
 * SVG 1.1 breaks no lines, and nobody has measured the fonts of whoever looks: widths are estimated, generously, in
 * hundredths of the font's size. */
#ifndef ONSALE_TICKETS_SVG_TEXT_H
#define ONSALE_TICKETS_SVG_TEXT_H

#include "base/bytes.h"

/* As text or inside a quoted attribute. What XML cannot hold, escaped or not, becomes U+FFFD. */
void svg_write_text(struct bytes text, struct buffer *out);

struct svg_line {
    struct bytes text; /* points into what was broken */
    bool is_cut;       /* more was there: it ends with an ellipsis */
};

/* At most `most` lines (from 1), broken at spaces where there are any. Returns how many; 0 for what is empty. */
size_t svg_break_lines(struct bytes text, unsigned width, size_t most, struct svg_line lines[static 1]);

#endif
