internal import ArgumentParser
internal import CheckpointIO
internal import Models
internal import Text

/// `quantize generate MODEL -p PROMPT`: text that continues a prompt.
struct Generate: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Let a model continue a text.",
        discussion: """
            Writes the text as it comes, without the prompt. Weights stay as they are stored: a \
            quantized model needs no more memory than its file. Ctrl-C ends the text.

              quantize generate MODEL-nf4 -p "Once upon a time"
              quantize generate MODEL --type nf4 --head-type int8 -p - < prompt.txt
            """
    )

    @Argument(
        help: "The model: a folder, a .gguf file, or org/name.",
        completion: .file()
    )
    var model: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The text to continue; - reads it from standard input.")
    )
    var prompt: String

    @OptionGroup(title: "How text is made")
    var generation: GenerationArguments

    @OptionGroup(title: "How the model is run")
    var options: ModelOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func perform(on console: Console) throws -> CommandResult {
        let text = try prompt == "-" ? InputText.standardInput() : prompt
        let start = ContinuousClock.now
        let model = try options.open(self.model, on: console)
        let tokens = try model.tokenizer.encode(text)
        console.detail("loaded in \(Quantity.duration((ContinuousClock.now - start).seconds))")
        StopFlag.catchSignals()
        let stop = StopFlag(followingSignals: true)
        let streams = !shared.json
        let (answer, meter) = try generation.answer(
            to: tokens,
            by: model,
            options,
            temperature: 0,
            streams: streams,
            stop: stop
        )
        console.note("\(streams ? "\n" : "")\(meter.sentence)")
        return result(answer, meter)
    }

    private func result(_ answer: TextModel.Answer, _ meter: TokenMeter) -> CommandResult {
        var report = ReportDocument(
            title: "Text by \(Name.printable(model))",
            summary: "\(answer.tokens.count) tokens, ended by \(answer.end.rawValue)"
        )
        report.append("Prompt", [.paragraph(prompt)])
        report.append("Text", [.paragraph(answer.text)])
        return CommandResult(
            // The text itself was written as it came.
            text: "",
            json: JSONObject([
                ("text", .string(answer.text)),
                ("end", .string(answer.end.rawValue)),
                ("tokens", .array(answer.tokens.map { .integer($0) })),
            ]),
            runMembers: meter.json,
            report: report
        )
    }
}

/// How fast tokens came.
struct TokenMeter {
    private let promptTokenCount: Int
    private let start = ContinuousClock.now
    private var first: ContinuousClock.Instant?
    private var last: ContinuousClock.Instant?
    private var tokenCount = 0

    /// Starts before the prompt passes.
    init(promptTokenCount: Int) { self.promptTokenCount = promptTokenCount }

    /// Takes note of a piece of text.
    mutating func record() {
        let now = ContinuousClock.now
        first = first ?? now
        last = now
    }

    /// Takes note of the end.
    mutating func finish(tokenCount: Int) {
        self.tokenCount = tokenCount
        last = .now
    }

    private var promptSeconds: Double { ((first ?? .now) - start).seconds }
    private var seconds: Double { ((last ?? .now) - (first ?? .now)).seconds }
    private var promptRate: Double? {
        promptSeconds > 0 ? Double(promptTokenCount) / promptSeconds : nil
    }
    private var rate: Double? {
        tokenCount > 1 && seconds > 0 ? Double(tokenCount - 1) / seconds : nil
    }

    /// One line for people.
    var sentence: String {
        var line = "prompt: \(promptTokenCount) tokens in \(Quantity.duration(promptSeconds))"
        line += "; text: \(tokenCount) tokens"
        if let rate { line += ", \(Quantity.significant(rate, 3)) tokens/s" }
        return line
    }

    /// The same for programs.
    var json: [(Name, JSONValue)] {
        [
            ("prompt_tokens", .integer(promptTokenCount)),
            ("prompt_seconds", .number(promptSeconds)),
            ("prompt_tokens_per_second", .number(promptRate)),
            ("tokens_per_second", .number(rate)),
        ]
    }
}
