"""What `import yappi` finds here: the package under test."""
import sys

import timestamp_capture.yappi

sys.modules[__name__] = timestamp_capture.yappi
