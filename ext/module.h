/* timestamp_capture._core: what the Python package calls. */
#ifndef TSCAP_MODULE_H
#define TSCAP_MODULE_H

#include <stdbool.h>

/* Sets all of it up without an import: no name in sys.modules, no finder that is asked, no file that is read, so that nothing
 * of the program hears of it. For `tscap attach`. 0, or -1 with an exception. */
int module_bring(void);
bool module_is_there(void); /* imported or brought, of this library */

#endif
