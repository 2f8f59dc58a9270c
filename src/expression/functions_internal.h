/* functions_internal.h - the functions of contextql/functions.def, one C function each. */
#ifndef EXPRESSION_FUNCTIONS_INTERNAL_H
#define EXPRESSION_FUNCTIONS_INTERNAL_H
#include "expression/functions.h"

#define FUNCTION(call, ...) FunctionCall function_##call;
#include "contextql/functions.def"

Error *function_wrong(const Function *function, Value value); /* "size() cannot take INTEGER" */
#endif
