#include "config.h"

#include "base/str.h"
