// Budgets and buffers are part of what users of this module see.
@_exported public import Machine
