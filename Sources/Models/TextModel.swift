public import CheckpointIO
public import Machine
public import Text

/// A language model with its tokenizer: text in, text out.
///
/// ```swift
/// let model = try TextModel(at: "Examples/tiny-model/checkpoint")
/// let answer = try model.generate("And it came to pass", options: .init(maximumTokenCount: 40))
/// print(answer.text)
/// ```
public struct TextModel: Sendable {
    /// The model.
    public var model: LanguageModel
    /// Its tokenizer.
    public let tokenizer: Tokenizer
    /// Tokens after which nothing follows, as the model's files say.
    public let stopTokens: Set<Int>

    /// How it writes conversations, in the words of its files; nil if they do not say.
    public let chatTemplate: String?
    /// The special tokens that its template may ask for, such as `bos_token`.
    public let specialTokens: JSONObject

    /// Puts a model and a tokenizer together.
    public init(
        _ model: LanguageModel,
        tokenizer: Tokenizer,
        stopTokens: Set<Int>,
        chatTemplate: String? = nil,
        specialTokens: JSONObject = JSONObject()
    ) {
        self.model = model
        self.tokenizer = tokenizer
        self.stopTokens = stopTokens
        self.chatTemplate = chatTemplate
        self.specialTokens = specialTokens
    }

    /// Opens a model and its tokenizer: a folder, a GGUF file, or a name in the local Hugging Face cache.
    /// - Parameters:
    ///   - path: of the model.
    ///   - options: whether to quantize while loading.
    ///   - workers: the threads.
    /// - Throws: `tokenizer.missing` without a `tokenizer.json`; as `LanguageModel.init(at:)` and
    ///   `Tokenizer.init(parsing:)`.
    public init(
        at path: String,
        options: LanguageModel.LoadingOptions = LanguageModel.LoadingOptions(),
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        try self.init(options.open(path), options: options, on: workers)
    }

    /// Reads a model and its tokenizer out of an open checkpoint.
    /// - Throws: as `init(at:)`.
    public init(
        _ checkpoint: Checkpoint,
        options: LanguageModel.LoadingOptions = LanguageModel.LoadingOptions(),
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        // The tokenizer first: it is quick to say that it is not there.
        let files = TokenizerFiles(checkpoint)
        let tokenizer = try files.tokenizer()
        self.init(
            try LanguageModel(checkpoint, options: options, on: workers),
            tokenizer: tokenizer,
            stopTokens: try files.stopTokens(tokenizer),
            chatTemplate: try files.chatTemplate(),
            specialTokens: try files.specialTokens()
        )
    }

    /// Text that continues a prompt.
    public struct Answer: Sendable {
        /// The text.
        public var text: String
        /// Its tokens, those that end it included.
        public let tokens: [Int]
        /// Why there is no more.
        public let end: End
    }

    /// Why an answer ends.
    public enum End: String, Sendable {
        /// The model ended it.
        case stopToken
        /// A text occurred that was to end it.
        case stopText
        /// As many tokens as wanted are there.
        case length
        /// The model was not made for longer texts.
        case context
        /// Whoever received the text wanted no more.
        case receiver
    }

    /// Continues a text.
    /// - Parameters:
    ///   - prompt: the text; special tokens are put around it as the tokenizer has it.
    ///   - options: how to go on; the model's own stop tokens count as well.
    ///   - stopTexts: texts that end the answer, which leaves them out.
    ///   - cache: of an earlier text: what both begin with is not computed again, as in a conversation.
    ///   - workers: the threads.
    ///   - receive: called with pieces of the answer as they come; false ends it.
    /// - Returns: the whole answer.
    /// - Throws: as `LanguageModel.generate` and `Tokenizer.encode`.
    public func generate(
        _ prompt: String,
        options: GenerationOptions = GenerationOptions(),
        stopTexts: [String] = [],
        cache: KeyValueCache? = nil,
        on workers: WorkerPool = .shared(),
        receive: (String) -> Bool = { _ in true }
    ) throws(CheckpointError) -> Answer {
        try generate(
            tokenizer.encode(prompt),
            options: options,
            stopTexts: stopTexts,
            cache: cache,
            on: workers,
            receive: receive
        )
    }

    /// Continues the tokens of a text; see `generate(_:)` of a text.
    /// - Throws: `tokenizer.vocab` if there is no token or one that the model does not have; as
    ///   `LanguageModel.generate`.
    public func generate(
        _ prompt: [Int],
        options: GenerationOptions = GenerationOptions(),
        stopTexts: [String] = [],
        cache: KeyValueCache? = nil,
        on workers: WorkerPool = .shared(),
        receive: (String) -> Bool = { _ in true }
    ) throws(CheckpointError) -> Answer {
        try check(prompt)
        var options = options
        options.stopTokens.formUnion(stopTokens)
        var decoder = StreamingDecoder(tokenizer)
        var filter = StopTextFilter(stopTexts)
        var text = ""
        var failure: CheckpointError?
        var isWanted = true
        func give(_ piece: String) {
            guard !piece.isEmpty else { return }
            text += piece
            isWanted = receive(piece) && isWanted
        }
        let sequences = try model.generate(
            [prompt],
            options: options,
            caches: cache.map { [$0] },
            on: workers
        ) { _, token in
            do throws(CheckpointError) {
                give(filter.append(try decoder.append(token)))
            } catch {
                failure = error
            }
            return failure == nil && isWanted && !filter.hasStopped
        }
        if let failure { throw failure }
        if !filter.hasStopped { give(filter.append(try decoder.finish())) }
        if !filter.hasStopped { give(filter.finish()) }
        let end: End =
            filter.hasStopped ? .stopText : End(rawValue: sequences[0].end.rawValue) ?? .length
        return Answer(text: text, tokens: sequences[0].tokens, end: end)
    }

    /// Returns the tokens of a conversation, up to where the next answer begins.
    /// - Parameters:
    ///   - messages: what was said.
    ///   - template: in place of the model's own.
    /// - Returns: numbers of tokens.
    /// - Throws: `template.missing` if the model has no template; `template.…`; as `Tokenizer.encode`.
    public func tokens(
        of messages: [ChatTemplate.Message],
        template: String? = nil
    ) throws(CheckpointError) -> [Int] {
        guard let template = template ?? chatTemplate else {
            throw CheckpointError(
                .templateMissing,
                "the model has no chat template, so it does not know conversations",
                hint: "generate continues any text"
            )
        }
        let text = try ChatTemplate(template).render(messages, variables: specialTokens)
        return try tokenizer.encode(text, addsSpecialTokens: false)
    }

    /// Makes sure that the model has all tokens.
    /// - Throws: `tokenizer.vocab`.
    func check(_ tokens: [Int]) throws(CheckpointError) {
        guard !tokens.isEmpty else {
            throw CheckpointError(.tokenizerVocab, "the text is empty: it has no tokens")
        }
        let rows = model.embedding.rowCount
        guard let token = tokens.first(where: { !(0..<rows ~= $0) }) else { return }
        throw CheckpointError(
            .tokenizerVocab,
            "the tokenizer makes a token that the model has not: is it another model's?",
            expected: "less than \(rows)",
            found: "\(token)"
        )
    }
}

/// Holds text back that may be the beginning of one that ends an answer.
struct StopTextFilter {
    private let stopTexts: [[UInt8]]
    private var waiting: [UInt8] = []
    /// Whether one of the texts occurred.
    private(set) var hasStopped = false

    init(_ stopTexts: [String]) {
        self.stopTexts = stopTexts.filter { !$0.isEmpty }.map { Array($0.utf8) }
    }

    /// Takes text; returns what may be given out.
    mutating func append(_ text: String) -> String {
        guard !stopTexts.isEmpty else { return text }
        waiting += text.utf8
        for place in waiting.indices
        where stopTexts.contains(where: { waiting[place...].starts(with: $0) }) {
            hasStopped = true
            return take(place)
        }
        // The longest end that a stop text begins with.
        let held = waiting.indices.first { place in
            stopTexts.contains { $0.starts(with: waiting[place...]) }
        }
        return take(held ?? waiting.count)
    }

    /// Returns what was held back.
    mutating func finish() -> String { take(waiting.count) }

    private mutating func take(_ count: Int) -> String {
        defer { waiting.removeFirst(count) }
        return String(decoding: waiting[..<count], as: UTF8.self)
    }
}
