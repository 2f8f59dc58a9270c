#include "config.h"

#include "base/memory.h"
