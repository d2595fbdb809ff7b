// Everything that reads and writes checkpoints, under one name.
@_exported public import Containers
@_exported public import Files
@_exported public import HuggingFace
