internal import ArgumentParser
internal import CheckpointIO
internal import Models
internal import Text

/// `quantize chat MODEL`: a conversation in the terminal.
struct Chat: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with a model.",
        discussion: """
            Each line is a message; the answer comes as it is made. The conversation is written as the \
            model's own chat template has it. Ctrl-C ends an answer, Ctrl-D the conversation; a line /new \
            begins another one.

              quantize chat MODEL-nf4 --system "You are terse."
              echo "What is NF4?" | quantize chat MODEL-nf4
            """
    )

    @Argument(help: "The model: a folder, a .gguf file, or org/name.", completion: .file())
    var model: String

    @Option(
        name: .long,
        help: ArgumentHelp("What the model is told before the conversation.", valueName: "text")
    )
    var system: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A file with a chat template, in place of the model's.",
            valueName: "file"
        ),
        completion: .file()
    )
    var template: String?

    @OptionGroup(title: "How text is made")
    var generation: GenerationArguments

    @OptionGroup(title: "How the model is run")
    var options: ModelOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    /// Daring enough not to say the same again and again.
    private static let usualTemperature: Float = 0.7

    func perform(on console: Console) throws -> CommandResult {
        let template = try self.template.map(InputText.file)
        let model = try options.open(self.model, on: console)
        let first = system.map { [ChatTemplate.Message(role: "system", content: $0)] } ?? []
        // A template that is missing or broken is told before anybody types.
        let probe = first + [ChatTemplate.Message(role: "user", content: "Hello")]
        _ = try model.tokens(of: probe, template: template)
        let stop = StopFlag(followingSignals: true)
        let cache = try model.model.makeCache(as: options.mode.mode.cacheDType)
        var messages = first
        var all = first
        while let line = nextLine(console) {
            if line == "/new" {
                messages = first
                continue
            }
            guard !line.isEmpty else { continue }
            let message = ChatTemplate.Message(role: "user", content: line)
            // Signals stop an answer; while nobody answers they end the program.
            StopFlag.catchSignals()
            let answer = try answer(to: messages + [message], model, cache, template, stop, console)
            StopFlag.releaseSignals()
            let reply = ChatTemplate.Message(role: "assistant", content: answer.text)
            messages += [message, reply]
            all += [message, reply]
        }
        return result(all)
    }

    private func nextLine(_ console: Console) -> String? {
        if console.isInteractive { console.ask("> ") }
        return readLine(strippingNewline: true)
    }

    private func answer(
        to messages: [ChatTemplate.Message],
        _ model: TextModel,
        _ cache: KeyValueCache,
        _ template: String?,
        _ stop: StopFlag,
        _ console: Console
    ) throws -> TextModel.Answer {
        let (answer, meter) = try generation.answer(
            to: model.tokens(of: messages, template: template),
            by: model,
            options,
            cache: cache,
            temperature: Self.usualTemperature,
            streams: !shared.json,
            stop: stop
        )
        if !shared.json { try StandardStream.put("\n") }
        console.detail(meter.sentence)
        return answer
    }

    private func result(_ messages: [ChatTemplate.Message]) -> CommandResult {
        var report = ReportDocument(
            title: "A conversation with \(Name.printable(model))",
            summary: "\(messages.count) messages"
        )
        for message in messages { report.append(message.role, [.paragraph(message.content)]) }
        return CommandResult(
            // The answers were written as they came.
            text: "",
            json: JSONObject([
                (
                    "messages",
                    .array(
                        messages.map {
                            .object([
                                ("role", .string($0.role)), ("content", .string($0.content)),
                            ])
                        }
                    )
                )
            ]),
            report: report
        )
    }
}
