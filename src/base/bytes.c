#include "config.h"

#include "base/bytes.h"
