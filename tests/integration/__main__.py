"""`make integration`: races, faults and a soak test on DynamoDB Local (Java). SOAK=seconds (120)."""

import sys

from tests.integration.run import main

sys.exit(main())
