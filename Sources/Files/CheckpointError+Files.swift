// Files, folders and their names.
extension CheckpointError.Code {
    /// There is no such file or folder.
    public static let fileMissing = Self("file.missing", .missingInput)
    /// The system does not permit to read it.
    public static let fileUnreadable = Self("file.unreadable", .missingInput)
    /// A folder, pipe or device stands where a file should.
    public static let fileNotRegular = Self("file.notRegular", .missingInput)
    /// The file has no bytes.
    public static let fileEmpty = Self("file.empty")
    /// The file changed while it was read.
    public static let fileChanged = Self("file.changed", .inputOutput)
    /// The system failed to read or write.
    public static let fileIo = Self("file.io", .inputOutput)
    /// The file or folder is no part of what is read or written.
    public static let fileLeftOut = Self("file.leftOut")
    /// The content is not that of the digest in `SHA256SUMS`.
    public static let fileChecksum = Self("file.checksum")
    /// `SHA256SUMS` itself is malformed.
    public static let fileChecksumList = Self("file.checksumList")
    /// A file name leads out of the folder.
    public static let pathEscape = Self("path.escape")
    /// A file name is empty, or has parts that no file name has.
    public static let pathBadName = Self("path.badName")
    /// A symbolic link leads out of the folder.
    public static let pathLinkOutside = Self("path.linkOutside")
    /// A pickle, which runs code when it is read.
    public static let pickleRefused = Self("pickle.refused", .unsupported)
}

// Limits on what is read.
extension CheckpointError.Code {
    /// A file is larger than what is read of its kind.
    public static let limitFileSize = Self("limit.fileSize")
    /// A name is longer than any real one.
    public static let limitNameLength = Self("limit.nameLength")
    /// A tensor has more dimensions than any real one.
    public static let limitRank = Self("limit.rank")
    /// There are more tensors than any real file has.
    public static let limitCount = Self("limit.count")
    /// The memory that was allowed does not suffice.
    public static let limitMemory = Self("limit.memory", .stopped)
}

// JSON texts.
extension CheckpointError.Code {
    /// The text is not UTF-8, or begins with a byte order mark.
    public static let jsonEncoding = Self("json.encoding")
    /// The text is not JSON.
    public static let jsonSyntax = Self("json.syntax")
    /// Something follows the value.
    public static let jsonTrailing = Self("json.trailing")
    /// Arrays and objects are nested too deeply.
    public static let jsonDepth = Self("json.depth")
    /// An object has a key twice.
    public static let jsonDuplicateKey = Self("json.duplicateKey")
    /// A number is not one that is wanted, such as a fraction in place of an integer.
    public static let jsonNumber = Self("json.number")
    /// A value has another type.
    public static let jsonType = Self("json.type")
    /// A needed key is not there.
    public static let jsonMissingKey = Self("json.missingKey")
}

// Writing.
extension CheckpointError.Code {
    /// The output is there already.
    public static let outputExists = Self("output.exists", .outputExists)
    /// Another run writes the output.
    public static let outputBusy = Self("output.busy", .outputExists)
    /// A stopped run would be thrown away.
    public static let outputUnfinished = Self("output.unfinished", .outputExists)
    /// The output lies in the input, or is it.
    public static let outputInsideInput = Self("output.insideInput", .usage)
    /// The run to be continued was another one.
    public static let outputFingerprint = Self("output.fingerprint")
    /// Stopped; the run can be continued.
    public static let outputStopped = Self("output.stopped", .stopped)
}
