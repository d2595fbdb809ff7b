public import Files

// GGUF files.
extension CheckpointError.Code {
    /// The file does not begin as one of GGUF does.
    public static let ggufMagic = Self("gguf.magic")
    /// The version of the format is not known.
    public static let ggufVersion = Self("gguf.version", .unsupported)
    /// The file ends within its header.
    public static let ggufTruncated = Self("gguf.truncated")
    /// There are more keys or tensors than any real file has.
    public static let ggufCount = Self("gguf.count")
    /// A string is not UTF-8, or longer than any real one.
    public static let ggufString = Self("gguf.string")
    /// An array has more items than any real file has.
    public static let ggufArray = Self("gguf.array")
    /// Arrays are nested too deeply.
    public static let ggufDepth = Self("gguf.depth")
    /// A key is empty, too long or not plain text.
    public static let ggufKey = Self("gguf.key")
    /// A key occurs twice.
    public static let ggufDuplicateKey = Self("gguf.duplicateKey")
    /// The type of a value is not known.
    public static let ggufValueType = Self("gguf.valueType")
    /// A truth value is neither 0 nor 1.
    public static let ggufBool = Self("gguf.bool")
    /// A key has a value of another type than it should.
    public static let ggufKeyType = Self("gguf.keyType")
    /// A needed key is not there.
    public static let ggufMissingKey = Self("gguf.missingKey")
    /// The alignment is not a power of two.
    public static let ggufAlignment = Self("gguf.alignment")
    /// A tensor has a name that none can have.
    public static let ggufName = Self("gguf.name")
    /// Two tensors have the same name.
    public static let ggufDuplicateName = Self("gguf.duplicateName")
    /// A tensor has no dimensions, too many, or an empty one.
    public static let ggufDims = Self("gguf.dims")
    /// The product of the dimensions is no size of memory.
    public static let ggufOverflow = Self("gguf.overflow")
    /// The type of a tensor is not known.
    public static let ggufType = Self("gguf.type")
    /// The type of a tensor is known and not read.
    public static let ggufUnsupported = Self("gguf.unsupported", .unsupported)
    /// The rows of a tensor are not whole blocks of its type.
    public static let ggufBlockSize = Self("gguf.blockSize")
    /// A tensor does not begin where the alignment says.
    public static let ggufOffset = Self("gguf.offset")
    /// A tensor ends beyond the file.
    public static let ggufBeyondFile = Self("gguf.beyondFile")
    /// Bytes follow the last tensor.
    public static let ggufTrailing = Self("gguf.trailing")
}
