internal import ArgumentParser
internal import CheckpointIO
internal import Models
internal import Quant
internal import Text

/// `quantize eval MODEL TEXT`: how well a model tells a text.
struct Evaluate: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure perplexity, and how far a model is from another.",
        discussion: """
            Perplexity is what a model's predictions of a text are worth: lower is better. With --against \
            the same text tells how far the predictions are from the original's, which shows much \
            smaller losses. --sweep quantizes the model in several ways, one after the other.

              quantize eval MODEL-nf4 text.txt --against MODEL
              quantize eval MODEL text.txt --sweep nf4,nf4-dq,nf4-search,fp4,int8
            """
    )

    @Argument(help: "The model: a folder, a .gguf file, or org/name.", completion: .file())
    var model: String

    @Argument(help: "The text, in UTF-8; - reads it from standard input.", completion: .file())
    var text: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Another model with the same tokens, to compare with.",
            valueName: "model"
        ),
        completion: .file()
    )
    var against: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Compare the model, quantized in these ways, with itself.",
            valueName: "formats"
        )
    )
    var sweep: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Tokens that the model sees at once; default: 1024, or its context.",
            valueName: "n"
        )
    )
    var window: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Tokens from one window to the next; default: half of one.",
            valueName: "n"
        )
    )
    var stride: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Take only so many tokens of the text.", valueName: "n")
    )
    var tokens: Int?

    @OptionGroup(title: "How the model is run")
    var options: ModelOptions

    @OptionGroup(title: "Shared options")
    var progress: ProgressOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !progress.noProgress }

    func validate() throws {
        if sweep != nil, against != nil || options.type != nil {
            throw ValidationError("--sweep compares with the model itself: no --against, no --type")
        }
        _ = try formats()
        if let tokens, tokens < 2 { throw ValidationError("--tokens takes a number from 2") }
        if let window, window < 2 { throw ValidationError("--window takes a number from 2") }
        if let stride, stride < 1 || stride > window ?? .max {
            throw ValidationError("--stride takes a number from 1 to the window")
        }
    }

    private func formats() throws -> [LoadedFormat] {
        try (sweep ?? "").split(separator: ",").map { name in
            guard let format = LoadedFormat(rawValue: String(name)) else {
                let known = LoadedFormat.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--sweep takes \(known), not '\(name)'")
            }
            return format
        }
    }

    func perform(on console: Console) throws -> CommandResult {
        let text = try self.text == "-" ? InputText.standardInput() : InputText.file(self.text)
        let subject = try options.open(model, on: console)
        var ids = try subject.tokenizer.encode(text)
        if let tokens { ids = Array(ids.prefix(tokens)) }
        guard ids.count > 1 else {
            throw CheckpointError(.tokenizerVocab, "the text has less than two tokens")
        }
        let cut = try evaluationOptions(subject.model)
        console.note(
            "plan: \(Quantity.count(ids.count)) tokens in windows of \(cut.windowTokenCount)"
        )
        var summary = EvaluationSummary(
            name: model,
            textName: self.text,
            tokenCount: ids.count,
            options: cut
        )
        if sweep != nil {
            for (index, format) in try formats().enumerated() {
                let quantized = try options.adapted(
                    options.openBare(model, format, on: console)
                )
                let evaluation = try run(
                    quantized,
                    ids,
                    subject.model,
                    cut,
                    format.rawValue,
                    console
                )
                if index == 0 { summary.add(reference: evaluation, named: "as stored") }
                summary.add(evaluation, named: format.rawValue)
            }
        } else {
            let reference = try against.map { path in
                try options.openBare(path, nil, on: console)
            }
            let evaluation = try run(subject.model, ids, reference, cut, model, console)
            if let against { summary.add(reference: evaluation, named: against) }
            summary.add(evaluation, named: options.type.map { "\(model), \($0.rawValue)" } ?? model)
        }
        return summary.result
    }

    private func evaluationOptions(
        _ model: LanguageModel
    ) throws(CheckpointError) -> EvaluationOptions {
        let window = self.window ?? min(1024, model.contextLength ?? 1024)
        let stride = self.stride ?? max(window / 2, 1)
        guard stride <= window else {
            throw CheckpointError(
                .modelContext,
                "the stride is longer than the window",
                expected: "at most \(window)",
                found: "\(stride)"
            )
        }
        return EvaluationOptions(
            windowTokenCount: window,
            strideTokenCount: stride,
            mode: options.mode.mode
        )
    }

    private func run(
        _ subject: LanguageModel,
        _ ids: [Int],
        _ reference: LanguageModel?,
        _ cut: EvaluationOptions,
        _ name: String,
        _ console: Console
    ) throws(CheckpointError) -> Evaluation {
        StopFlag.catchSignals()
        let stop = StopFlag(followingSignals: true)
        defer { console.endProgress() }
        let evaluation = try subject.evaluate(
            ids,
            against: reference,
            options: cut,
            on: options.workers
        ) { done in
            console.status("\(name): \(done) of \(ids.count) tokens")
            return !stop.isSet
        }
        try stop.check()
        return evaluation
    }
}
