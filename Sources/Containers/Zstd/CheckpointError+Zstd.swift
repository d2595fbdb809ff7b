public import Files

// Frames of zstd and their seek tables.
extension CheckpointError.Code {
    /// The file does not begin as one of zstd does.
    public static let zstdMagic = Self("zstd.magic")
    /// The file ends within a frame.
    public static let zstdTruncated = Self("zstd.truncated")
    /// A frame cannot be unpacked.
    public static let zstdCorrupt = Self("zstd.corrupt")
    /// The content of a frame is not that of its checksum.
    public static let zstdChecksum = Self("zstd.checksum")
    /// A frame needs more memory to unpack than is allowed.
    public static let zstdWindow = Self("zstd.window")
    /// A frame does not say how large its content is.
    public static let zstdSizeMissing = Self("zstd.sizeMissing")
    /// A frame has another size than it says.
    public static let zstdSize = Self("zstd.size")
    /// A frame needs a dictionary.
    public static let zstdDictionary = Self("zstd.dictionary")
    /// Bytes follow the last frame.
    public static let zstdTrailing = Self("zstd.trailing")
    /// No frame has content.
    public static let zstdEmpty = Self("zstd.empty")
    /// The table of the frames is not that of the file.
    public static let zstdSeekTable = Self("zstd.seekTable")
    /// There are more frames than any real file has.
    public static let zstdLimit = Self("zstd.limit")
    /// One large frame is read in an order that would unpack it again and again.
    public static let zstdOrder = Self("zstd.order", .unsupported)
}
