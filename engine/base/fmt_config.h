// How {fmt} is configured, for every file that includes any of its headers.
#pragma once

#define FMT_EXCEPTIONS 0
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
