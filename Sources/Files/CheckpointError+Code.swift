extension CheckpointError {
    /// The stable names of everything that can be wrong.
    ///
    /// A minor release may add cases.
    public enum Code: String, Sendable, CaseIterable {
        // Files and folders
        /// There is no such file or folder.
        case fileMissing = "file.missing"
        /// The system does not permit to read it.
        case fileUnreadable = "file.unreadable"
        /// A folder, pipe or device stands where a file should.
        case fileNotRegular = "file.notRegular"
        /// The file has no bytes.
        case fileEmpty = "file.empty"
        /// The file changed while it was read.
        case fileChanged = "file.changed"
        /// The system failed to read or write.
        case fileIo = "file.io"
        /// The file or folder is no part of what is read or written.
        case fileLeftOut = "file.leftOut"
        /// The content is not that of the digest in `SHA256SUMS`.
        case fileChecksum = "file.checksum"
        /// `SHA256SUMS` itself is malformed.
        case fileChecksumList = "file.checksumList"
        // File names out of JSON files
        /// A file name leads out of the folder.
        case pathEscape = "path.escape"
        /// A file name is empty, or has parts that no file name has.
        case pathBadName = "path.badName"
        /// A symbolic link leads out of the folder.
        case pathLinkOutside = "path.linkOutside"
        // Pickles, never opened
        /// A pickle, which runs code when it is read.
        case pickleRefused = "pickle.refused"
        // Limits on what is read
        /// A file is larger than what is read of its kind.
        case limitFileSize = "limit.fileSize"
        /// A name is longer than any real one.
        case limitNameLength = "limit.nameLength"
        /// A tensor has more dimensions than any real one.
        case limitRank = "limit.rank"
        /// There are more tensors than any real file has.
        case limitCount = "limit.count"
        /// The memory that was allowed does not suffice.
        case limitMemory = "limit.memory"
        // JSON texts
        /// The text is not UTF-8, or begins with a byte order mark.
        case jsonEncoding = "json.encoding"
        /// The text is not JSON.
        case jsonSyntax = "json.syntax"
        /// Something follows the value.
        case jsonTrailing = "json.trailing"
        /// Arrays and objects are nested too deeply.
        case jsonDepth = "json.depth"
        /// An object has a key twice.
        case jsonDuplicateKey = "json.duplicateKey"
        /// A number is not one that is wanted, such as a fraction in place of an integer.
        case jsonNumber = "json.number"
        /// A value has another type.
        case jsonType = "json.type"
        /// A needed key is not there.
        case jsonMissingKey = "json.missingKey"
        // safetensors headers
        /// The file ends within the length of its header.
        case stTooShort = "st.tooShort"
        /// The header is longer than the format permits.
        case stHeaderTooLarge = "st.headerTooLarge"
        /// The header ends beyond the file.
        case stHeaderBeyondFile = "st.headerBeyondFile"
        /// The header does not begin with an object.
        case stHeaderStart = "st.headerStart"
        /// A tensor has a name that none can have.
        case stBadName = "st.badName"
        /// Two tensors have the same name.
        case stDuplicateName = "st.duplicateName"
        /// The element type is not known.
        case stDtype = "st.dtype"
        /// The product of the dimensions is no size of memory.
        case stOverflow = "st.overflow"
        /// The bytes of a tensor are not as many as its shape needs.
        case stSizeMismatch = "st.sizeMismatch"
        /// The bytes of a tensor end before they begin.
        case stOffsets = "st.offsets"
        /// Bytes between two tensors belong to none.
        case stHole = "st.hole"
        /// Two tensors share bytes.
        case stOverlap = "st.overlap"
        /// The tensors end before the file does, or beyond it.
        case stNotCovered = "st.notCovered"
        // Sharded indexes
        /// The index names no tensor.
        case indexEmpty = "index.empty"
        /// A shard that the index names is not there.
        case indexShardMissing = "index.shardMissing"
        /// A tensor is not in the shard that the index names.
        case indexTensorMissing = "index.tensorMissing"
        /// Two shards have a tensor of the same name.
        case indexDuplicateTensor = "index.duplicateTensor"
        /// A shard has a tensor that the index does not name.
        case indexTensorUnmapped = "index.tensorUnmapped"
        /// A file of weights lies in the folder and is not used.
        case indexShardUnused = "index.shardUnused"
        /// The tensors have another size in all than the index says.
        case indexTotalSize = "index.totalSize"
        /// More than one set of weights lies in the folder.
        case indexAmbiguous = "index.ambiguous"
        // config.json
        /// A number is outside of what it may be.
        case configRange = "config.range"
        /// A tensor has another shape than the configuration implies.
        case configShape = "config.shape"
        /// The architecture or a value is not one that is known.
        case configUnsupported = "config.unsupported"
        /// What is said of quantization is not what the tensors are.
        case configQuantization = "config.quantization"
        /// Two keys say what cannot both be.
        case configContradiction = "config.contradiction"
        /// The model brings code of its own, which is never run.
        case configRemoteCode = "config.remoteCode"
        // A model and its tensors
        /// A tensor that the configuration implies is not there.
        case modelTensorMissing = "model.tensorMissing"
        /// A tensor is there that the configuration does not imply.
        case modelTensorUnexpected = "model.tensorUnexpected"
        /// What is known of the model is a guess by the names of its tensors.
        case modelGuess = "model.guess"
        /// Weights that could be quantized stay as they are.
        case modelKept = "model.kept"
        /// The result is one that other programs do not open as it is.
        case modelForeign = "model.foreign"
        /// A text is longer than the model's context.
        case modelContext = "model.context"
        // Quantized tensors
        /// The description of a quantized weight is malformed.
        case quantState = "quant.state"
        /// A part of a quantized weight has another size than its description implies.
        case quantShape = "quant.shape"
        /// The table of what codes stand for is missing, or none that is known.
        case quantMap = "quant.map"
        /// The scales are missing, or of the wrong size.
        case quantAbsmax = "quant.absmax"
        /// The weight is quantized in a way that is not read.
        case quantUnsupported = "quant.unsupported"
        /// The weights that are quantized or compared were quantized before.
        case quantTwice = "quant.twice"
        // Numbers
        /// A weight is NaN or infinite.
        case numNonFinite = "num.nonFinite"
        /// Numbers are too large for the type they are stored in.
        case numOverflow = "num.overflow"
        /// A decomposition of a matrix did not converge.
        case numFactorization = "num.factorization"
        // zstd frames and seek tables
        /// The file does not begin as one of zstd does.
        case zstdMagic = "zstd.magic"
        /// The file ends within a frame.
        case zstdTruncated = "zstd.truncated"
        /// A frame cannot be unpacked.
        case zstdCorrupt = "zstd.corrupt"
        /// The content of a frame is not that of its checksum.
        case zstdChecksum = "zstd.checksum"
        /// A frame needs more memory to unpack than is allowed.
        case zstdWindow = "zstd.window"
        /// A frame does not say how large its content is.
        case zstdSizeMissing = "zstd.sizeMissing"
        /// A frame has another size than it says.
        case zstdSize = "zstd.size"
        /// A frame needs a dictionary.
        case zstdDictionary = "zstd.dictionary"
        /// Bytes follow the last frame.
        case zstdTrailing = "zstd.trailing"
        /// No frame has content.
        case zstdEmpty = "zstd.empty"
        /// The table of the frames is not that of the file.
        case zstdSeekTable = "zstd.seekTable"
        /// There are more frames than any real file has.
        case zstdLimit = "zstd.limit"
        /// One large frame is read in an order that would unpack it again and again.
        case zstdOrder = "zstd.order"
        // GGUF files
        /// The file does not begin as one of GGUF does.
        case ggufMagic = "gguf.magic"
        /// The version of the format is not known.
        case ggufVersion = "gguf.version"
        /// The file ends within its header.
        case ggufTruncated = "gguf.truncated"
        /// There are more keys or tensors than any real file has.
        case ggufCount = "gguf.count"
        /// A string is not UTF-8, or longer than any real one.
        case ggufString = "gguf.string"
        /// An array has more items than any real file has.
        case ggufArray = "gguf.array"
        /// Arrays are nested too deeply.
        case ggufDepth = "gguf.depth"
        /// A key is empty, too long or not plain text.
        case ggufKey = "gguf.key"
        /// A key occurs twice.
        case ggufDuplicateKey = "gguf.duplicateKey"
        /// The type of a value is not known.
        case ggufValueType = "gguf.valueType"
        /// A truth value is neither 0 nor 1.
        case ggufBool = "gguf.bool"
        /// A key has a value of another type than it should.
        case ggufKeyType = "gguf.keyType"
        /// A needed key is not there.
        case ggufMissingKey = "gguf.missingKey"
        /// The alignment is not a power of two.
        case ggufAlignment = "gguf.alignment"
        /// A tensor has a name that none can have.
        case ggufName = "gguf.name"
        /// Two tensors have the same name.
        case ggufDuplicateName = "gguf.duplicateName"
        /// A tensor has no dimensions, too many, or an empty one.
        case ggufDims = "gguf.dims"
        /// The product of the dimensions is no size of memory.
        case ggufOverflow = "gguf.overflow"
        /// The type of a tensor is not known.
        case ggufType = "gguf.type"
        /// The type of a tensor is known and not read.
        case ggufUnsupported = "gguf.unsupported"
        /// The rows of a tensor are not whole blocks of its type.
        case ggufBlockSize = "gguf.blockSize"
        /// A tensor does not begin where the alignment says.
        case ggufOffset = "gguf.offset"
        /// A tensor ends beyond the file.
        case ggufBeyondFile = "gguf.beyondFile"
        /// Bytes follow the last tensor.
        case ggufTrailing = "gguf.trailing"
        // Tokenizers
        /// Tokens, kinds and scores are not equally many.
        case tokenizerCount = "tokenizer.count"
        /// The vocabulary is not one of the model.
        case tokenizerVocab = "tokenizer.vocab"
        /// A merge is malformed, or of tokens that there are not.
        case tokenizerMerge = "tokenizer.merge"
        /// The tokenizer has a part that is not known.
        case tokenizerUnsupported = "tokenizer.unsupported"
        /// An added token is empty, or two texts share a number.
        case tokenizerAddedToken = "tokenizer.addedToken"
        /// A pattern does not compile, or a match takes too many steps.
        case tokenizerPattern = "tokenizer.pattern"
        /// A template names a special token that there is not.
        case tokenizerTemplate = "tokenizer.template"
        /// A model's folder has no tokenizer.
        case tokenizerMissing = "tokenizer.missing"
        /// A model has no template for conversations.
        case templateMissing = "template.missing"
        /// A template is malformed.
        case templateSyntax = "template.syntax"
        /// A template uses what is not known here.
        case templateUnsupported = "template.unsupported"
        /// A template takes too many steps, writes too much or is nested too deeply.
        case templateLimit = "template.limit"
        /// A template cannot be carried out, or says itself that a conversation is not possible.
        case templateFailed = "template.failed"
        /// A text is not UTF-8.
        case textEncoding = "text.encoding"
        // Adapters
        /// A tensor belongs to nothing that the configuration announces.
        case adapterTensorUnused = "adapter.tensorUnused"
        /// The configuration announces a tensor that is not there.
        case adapterTensorMissing = "adapter.tensorMissing"
        /// A factor has another shape than the layer and the rank imply.
        case adapterShape = "adapter.shape"
        /// A factor has an element type that is not read.
        case adapterDtype = "adapter.dtype"
        /// A rank, alpha or probability is outside of what it may be.
        case adapterRange = "adapter.range"
        /// What selects modules selects none.
        case adapterNoTarget = "adapter.noTarget"
        /// A pattern is malformed, or not one that matches in linear time.
        case adapterPattern = "adapter.pattern"
        /// An adapter's name is unknown, taken, or none that it can have.
        case adapterName = "adapter.name"
        /// The adapter is merged, or is not, where it has to be the other way round.
        case adapterMerged = "adapter.merged"
        /// The adapter changes nothing.
        case adapterNoEffect = "adapter.noEffect"
        /// The base is not the one that the adapter was made together with.
        case adapterWrongBase = "adapter.wrongBase"
        /// Two fields of the configuration exclude each other.
        case adapterContradiction = "adapter.contradiction"
        /// The adapter does what is not done here.
        case adapterUnsupported = "adapter.unsupported"
        /// A factor or a merged weight is NaN or infinite.
        case adapterNotFinite = "adapter.notFinite"
        // Writing
        /// The output is there already.
        case outputExists = "output.exists"
        /// Another run writes the output.
        case outputBusy = "output.busy"
        /// A stopped run would be thrown away.
        case outputUnfinished = "output.unfinished"
        /// The output lies in the input, or is it.
        case outputInsideInput = "output.insideInput"
        /// The run to be continued was another one.
        case outputFingerprint = "output.fingerprint"
        /// Stopped; the run can be continued.
        case outputStopped = "output.stopped"
        /// Interrupted before there was anything to continue.
        case outputInterrupted = "output.interrupted"
        // What was asked for
        /// An option has no effect on what is asked for.
        case optionUnused = "option.unused"
        // The machine
        /// A kernel was asked for that this processor cannot run, or that there is not.
        case hostKernel = "host.kernel"
    }

    /// The kinds of failure that a caller may want to treat differently.
    public enum Category: Sendable, CaseIterable {
        /// The input is malformed or contradicts itself.
        case badData
        /// The input is not there, or not something that can be read.
        case missingInput
        /// The input is sound, but not something this library does.
        case unsupported
        /// The output is there already, or somebody else is writing it.
        case outputExists
        /// The system failed to read or write.
        case inputOutput
        /// Stopped before the end, with enough kept to go on.
        case stopped
        /// Interrupted before there was anything to keep.
        case interrupted
        /// The request itself contradicts itself.
        case usage
    }
}

extension CheckpointError.Code {
    /// The kind of failure.
    public var category: CheckpointError.Category {
        switch self {
        case .fileMissing, .fileUnreadable, .fileNotRegular, .indexShardMissing: .missingInput
        case .pickleRefused, .zstdOrder, .configUnsupported, .quantUnsupported, .ggufVersion,
            .ggufUnsupported, .tokenizerUnsupported, .templateUnsupported, .adapterUnsupported,
            .hostKernel:
            .unsupported
        case .outputExists, .outputBusy, .outputUnfinished: .outputExists
        case .fileChanged, .fileIo: .inputOutput
        case .limitMemory, .outputStopped: .stopped
        case .outputInterrupted: .interrupted
        case .outputInsideInput, .optionUnused: .usage
        default: .badData
        }
    }
}
