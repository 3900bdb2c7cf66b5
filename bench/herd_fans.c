/* Who reserves, where it matters: a list of fans with their passes, each show's taking turns.
 *
 * What can go wrong: a file that is not there, or a line that is not as it should be: NOT_FOUND.
 */
#include "bench/herd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fan *fan_add(struct fan_list *list) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 256;
        list->fans = herd_realloc(list->fans, list->room * sizeof *list->fans);
    }
    return &list->fans[list->count++];
}

enum result fans_read(struct fan_list *list, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return RESULT_NOT_FOUND;
    struct fan fan;
    int words;
    while ((words = fscanf(file, "%39s %39s %511s", fan.show_id, fan.user, fan.pass)) == 3) {
        if (strcmp(fan.pass, "-") == 0)
            fan.pass[0] = 0;
        *fan_add(list) = fan;
    }
    fclose(file);
    return words == EOF && list->count > 0 ? RESULT_OK : RESULT_NOT_FOUND;
}

const struct fan *fans_next(struct fan_list *list, const char *show_id) {
    if (list->show_id != show_id) {
        list->show_id = show_id;
        list->first = 0;
        while (list->first < list->count && strcmp(list->fans[list->first].show_id, show_id) != 0)
            list->first++;
        list->end = list->first;
        while (list->end < list->count && strcmp(list->fans[list->end].show_id, show_id) == 0)
            list->end++;
        list->next = list->first;
    }
    if (list->first == list->end)
        return NULL;
    const struct fan *fan = &list->fans[list->next++];
    if (list->next == list->end)
        list->next = list->first;
    return fan;
}

void fans_release(struct fan_list *list) {
    free(list->fans);
    *list = (struct fan_list){0};
}
