#include "config.h"

#include "base/map.h"
