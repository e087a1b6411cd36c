#include "sluice/result.h"
