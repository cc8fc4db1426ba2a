// Puts a function into the module's exports under its own name.
#pragma once

#define WISP_EXPORT(name) extern "C" __attribute__((export_name(#name), visibility("default")))
