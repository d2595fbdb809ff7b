// The normal forms of Unicode.
#include <utf8proc.h>
