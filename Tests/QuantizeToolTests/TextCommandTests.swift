import Foundation
import TestSupport
import Testing

/// `quantize generate` and `quantize eval` on the model that ships with the package.
@Suite struct TextCommandTests {
    private let model = Repository.model.path

    @Test func greedyTextIsThatOfTransformers() throws {
        let golden = try Golden.object("tiny_model_text.json")
        let texts = try #require(golden["texts"] as? [[String: Any]])
        #expect(texts.count == 5)
        for text in texts {
            let prompt = try #require(text["prompt"] as? String)
            let made = try Tool.succeed([
                "generate", model, "-p", prompt, "--max-tokens", "40", "--mode", "float32",
                "--json",
            ]).object()
            #expect(made["tokens"] as? [Int] == text["tokens"] as? [Int])
            #expect(made["text"] as? String == text["text"] as? String)
        }
    }

    @Test func textIsWrittenAsItComes() throws {
        let words = ["generate", model, "-p", "In the beginning", "--max-tokens", "20"]
        let plain = try Tool.succeed(words)
        let json = try Tool.succeed(words + ["--json"]).object()
        #expect(plain.output == json["text"] as? String)
        #expect(plain.errors.contains("tokens/s"))
        #expect(json["end"] as? String == "stopToken")
    }

    @Test func choicesDependOnTheSeedAlone() throws {
        func text(_ more: [String]) throws -> String {
            try Tool.succeed(
                ["generate", model, "-p", "And", "--max-tokens", "30", "-q"] + more
            ).output
        }
        let daring = ["--temperature", "1", "--top-p", "0.9", "--top-k", "50", "--min-p", "0.01"]
        let first = try text(daring + ["--seed", "5"])
        #expect(try text(daring + ["--seed", "5", "--threads", "1"]) == first)
        #expect(try text(daring + ["--seed", "6"]) != first)
        #expect(try text(["--temperature", "1", "--top-k", "1"]) == text([]))
        #expect(try text(["--repetition-penalty", "1.5"]) != text([]))
    }

    @Test func aStopTextEndsTheAnswer() throws {
        let words = ["generate", model, "-p", "And it came to pass", "--json"]
        let whole = try #require(try Tool.succeed(words).object()["text"] as? String)
        let stop = "the LORD"
        let cut = try Tool.succeed(words + ["--stop", stop]).object()
        let start = try #require(whole.range(of: stop))
        #expect(cut["text"] as? String == String(whole[..<start.lowerBound]))
        #expect(cut["end"] as? String == "stopText")
    }

    @Test func wholeModelsAreMeasured() throws {
        let words = ["bench", "--model", model, "--seconds", "0.001"]
        let measured = try Tool.succeed(words + ["--json"]).object()
        let rows = try #require(measured["model"] as? [[String: Any]])
        #expect(rows.count == 10)
        let some = try Tool.succeed(words + ["--filter", "NF4", "--json"]).object()
        let tasks = try #require(some["model"] as? [[String: Any]]).map { $0["task"] as? String }
        #expect(tasks == ["decode, NF4 head", "decode, NF4 head, adapter"])
        #expect(try Tool.run(words + ["--filter", "nothing"]).status == 64)
        for row in rows {
            let tokens = try #require(row["tokens"] as? Int)
            let seconds = try #require(row["seconds"] as? Double)
            let rate = try #require(row["tokens_per_second"] as? Double)
            #expect(
                tokens > 0 && seconds > 0 && (rate * seconds / Double(tokens) - 1).magnitude < 1e-9
            )
        }
    }

    @Test func perplexityIsThatOfTransformers() throws {
        let golden = try Golden.object("tiny_model_text.json")
        let expected = exp(try #require(golden["mean_loss"] as? Double))
        let words = [
            "eval", model, Repository.validText.path, "--tokens", "2000", "--window", "256",
            "--stride",
            "128", "--json",
        ]
        for (mode, bound) in [("float32", 1e-5), ("bfloat16", 1e-3)] {
            let found = try Tool.succeed(words + ["--mode", mode]).object()
            let models = try #require(found["models"] as? [[String: Any]])
            let perplexity = try #require(models.first?["perplexity"] as? Double)
            #expect((perplexity / expected - 1).magnitude < bound, "\(mode): \(perplexity)")
        }
    }

    @Test func aSweepComparesFormats() throws {
        try withScratchFolder { scratch in
            let report = scratch.appendingPathComponent("report.html").path
            let outcome = try Tool.succeed([
                "eval", model, Repository.validText.path, "--tokens", "1000", "--sweep",
                "nf4,fp4,int8",
                "--json", "--report", report,
            ]).object()
            let models = try #require(outcome["models"] as? [[String: Any]])
            #expect(models.map { $0["model"] as? String } == ["as stored", "nf4", "fp4", "int8"])
            let divergences = models.dropFirst().compactMap { $0["mean_kl"] as? Double }
            // int8 is far nearer than four bits, and NF4 nearer than FP4.
            #expect(divergences.count == 3 && divergences[2] < divergences[0] / 20)
            #expect(divergences[0] < divergences[1] && divergences[1] < 0.5)
            #expect(models.dropFirst().allSatisfy { ($0["same_top"] as? Double ?? 0) > 0.6 })
            let html = try String(contentsOfFile: report, encoding: .utf8)
            #expect(html.contains("<svg") && html.contains("KL divergence"))
        }
    }

    @Test(arguments: [
        ("nf4", ["--type", "nf4"]), ("nf4-dq", ["--double-quant"]), ("int8", ["--type", "int8"]),
    ])
    func quantizingWhileLoadingIsConverting(format: String, options: [String]) throws {
        try withScratchFolder { scratch in
            let converted = scratch.appendingPathComponent("converted").path
            try Tool.succeed(["convert", model, converted] + options)
            func perplexity(_ words: String...) throws -> Double {
                let outcome = try Tool.succeed(
                    ["eval"] + words + [Repository.validText.path, "--tokens", "300", "--json"]
                ).object()
                let models = try #require(outcome["models"] as? [[String: Any]])
                return try #require(models.first?["perplexity"] as? Double)
            }
            let stored = try perplexity(converted)
            #expect(try perplexity(model, "--type", format) == stored)
            #expect(try perplexity(model) != stored)
        }
    }

    @Test func anAdapterChangesWhatIsSaid() throws {
        let adapter = Repository.root
            .appendingPathComponent("Examples/plain-english-adapter/adapter").path
        try withScratchFolder { scratch in
            let base = scratch.appendingPathComponent("base").path
            let fused = scratch.appendingPathComponent("fused").path
            try Tool.succeed(["convert", model, base, "--double-quant"])
            try Tool.succeed(["fuse", base, adapter, fused, "--dtype", "f32"])
            func text(_ path: String, _ more: String...) throws -> String? {
                try Tool.succeed(
                    [
                        "generate", path, "-p", "And it came to pass", "--mode", "float32",
                        "--json",
                    ] + more
                ).object()["text"] as? String
            }
            let adapted = try text(base, "--adapter", adapter)
            #expect(try adapted == text(fused))
            #expect(try adapted != text(base))
            #expect(try text(base, "--adapter", "\(adapter)=0") == text(base))
            let missing = try Tool.run(["generate", base, "-p", "x", "--adapter", "/nowhere"])
            #expect(missing.status == 66)
        }
    }

    @Test func aConversationIsWrittenByTheTemplate() throws {
        try withScratchFolder { scratch in
            let template = scratch.appendingPathComponent("chat.jinja").path
            try Data(
                """
                {%- for m in messages %}{% if m.role != 'user' %}{{ m.content }} {% else %}
                {{- m.content }}{% endif %}{% endfor -%}
                """.utf8
            ).write(to: URL(fileURLWithPath: template))
            let words = [
                "chat", model, "--template", template, "--temperature", "0", "--max-tokens", "20",
            ]
            let outcome = try Tool.run(
                words + ["--json"],
                input: "And it came to pass\n\n/new\nIn the beginning\n"
            )
            #expect(outcome.status == 0, "\(outcome.errors)")
            let messages = try #require(try outcome.object()["messages"] as? [[String: String]])
            #expect(messages.map { $0["role"] } == ["user", "assistant", "user", "assistant"])
            for (prompt, place) in [("And it came to pass", 1), ("In the beginning", 3)] {
                let text = try Tool.succeed([
                    "generate", model, "-p", prompt, "--max-tokens", "20",
                ]).output
                #expect(messages[place]["content"] == text)
            }
            let plain = try Tool.run(words, input: "In the beginning\n")
            #expect(plain.output == (messages[3]["content"] ?? "") + "\n")

            let missing = try Tool.run(["chat", model, "--json"], input: "x\n")
            #expect(missing.status == 65)
            #expect(try missing.error()["code"] as? String == "template.missing")
            try Data("{% if %}".utf8).write(to: URL(fileURLWithPath: template))
            let broken = try Tool.run(words + ["--json"], input: "x\n")
            #expect(try broken.error()["code"] as? String == "template.syntax")
        }
    }

    @Test func aModelIsNoDistanceFromItself() throws {
        let outcome = try Tool.succeed([
            "eval", model, Repository.validText.path, "--tokens", "300", "--against", model,
            "--json",
        ]).object()
        let models = try #require(outcome["models"] as? [[String: Any]])
        #expect(models.count == 2)
        #expect(models[1]["mean_kl"] as? Double == 0)
        #expect(models[1]["same_top"] as? Double == 1)
        #expect(models[1]["perplexity_ratio"] as? Double == 1)
    }

    @Test func mistakesAreOneLine() throws {
        try withScratchFolder { scratch in
            let text = scratch.appendingPathComponent("text.txt")
            try Data("good \u{FF}".utf8.prefix(5) + [0xFF, 0x20]).write(to: text)
            let bare = scratch.appendingPathComponent("bare")
            try FileManager.default.createDirectory(at: bare, withIntermediateDirectories: true)
            for name in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(
                    at: Repository.model.appendingPathComponent(name),
                    to: bare.appendingPathComponent(name)
                )
            }
            let long = String(repeating: "begat and ", count: 300)
            let refusing = scratch.appendingPathComponent("refusing.jinja")
            try Data("{{ raise_exception('roles must alternate') }}".utf8).write(to: refusing)
            let foreign = try Golden.url("peft/model/adapters/lora_qv").path
            let mistakes: [(arguments: [String], status: Int32, code: String)] = [
                (["generate", bare.path, "-p", "x"], 65, "tokenizer.missing"),
                (["generate", model, "-p", ""], 65, "tokenizer.vocab"),
                (["generate", model, "-p", long], 65, "model.context"),
                (["eval", model, text.path], 65, "text.encoding"),
                (["chat", model, "--template", refusing.path], 65, "template.failed"),
                (
                    ["generate", model, "-p", "x", "--adapter", foreign], 65,
                    "adapter.tensorMissing"
                ),
                (["eval", model, "/nowhere/text"], 66, "file.missing"),
                (
                    ["eval", model, Repository.validText.path, "--window", "512"], 65,
                    "model.context"
                ),
            ]
            for (arguments, status, code) in mistakes {
                let outcome = try Tool.run(arguments + ["--json"])
                #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
                #expect(try outcome.error()["code"] as? String == code)
            }
            for arguments in [
                ["generate", model], ["generate", model, "-p", "x", "--top-p", "2"],
                ["eval", model, text.path, "--sweep", "nf5"],
                ["eval", model, text.path, "--sweep", "nf4", "--against", model],
            ] {
                #expect(try Tool.run(arguments).status == 64)
            }
        }
    }
}
