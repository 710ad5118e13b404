#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 4, 0))) static bool fill(struct fault *fault, enum fault_kind kind,
                                                       const char *code, const char *format,
                                                       va_list args)
{
    fault->kind = kind;
    snprintf(fault->code, sizeof(fault->code), "%s", code);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    return false;
}

bool fail(struct fault *fault, enum fault_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(fault, kind, "", format, args);
    va_end(args);
    return false;
}

bool fail_as(struct fault *fault, enum fault_kind kind, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(fault, kind, code, format, args);
    va_end(args);
    return false;
}

const char *fault_kind_name(enum fault_kind kind)
{
    switch (kind) {
    case FAULT_NONE:
        return "none";
    case FAULT_REFUSED:
        return "refused";
    case FAULT_TRANSIENT:
        return "transient";
    case FAULT_UNKNOWN:
        return "unknown";
    case FAULT_BROKEN:
        return "broken";
    }
    return "?";
}
