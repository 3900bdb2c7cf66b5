/* `onsale-sim`: plays on-sales in virtual time. docs/simulator.md says what for. */
#include "base/hash.h"
#include "world.h"

int main(int count, char **arguments) {
    struct options options;
    int status = 0;
    if (!options_read(&options, count, arguments, &status))
        return status;
    hash_set_up();
    for (uint32_t i = 0; i < options.seeds; i++)
        world_play(&options, options.seed + i);
    return 0;
}
