#include "service/calendar.h"
