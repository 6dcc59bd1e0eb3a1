"""Our models measured beside what people would use instead."""
