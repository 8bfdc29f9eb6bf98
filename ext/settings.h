/* Settings: what the environment asks of the recorder (TSCAP_...). */
#ifndef TSCAP_SETTINGS_H
#define TSCAP_SETTINGS_H

#include <stdbool.h>

#include "lanes.h"
#include "segment_file.h"

bool settings_disabled(void);
bool settings_keep(void); /* the segment's file stays when the process ends */
void settings_read(struct segment_options *segment, struct lanes_options *lanes);

#endif
