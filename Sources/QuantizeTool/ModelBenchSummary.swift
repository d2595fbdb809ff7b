internal import CheckpointIO
internal import Machine
internal import ModelBenchmarks

/// What `bench --model` says.
enum ModelBenchSummary {
    /// Measures, and tells.
    static func measured(
        _ path: String,
        _ bench: Bench,
        on console: Console
    ) throws -> CommandResult {
        let workers = WorkerPool.shared(threadCount: bench.threads.count)
        console.status("loading \(path)")
        let checkpoint = try SourceModel.open(
            path,
            .known,
            followsLinks: false,
            budget: MemoryBudget(limitByteCount: HostMemory.defaultLimitByteCount),
            on: console
        )
        let benchmark = try ModelBenchmark(checkpoint, on: workers)
        // A run takes about a second.
        let rounds = max(3, Int(20 * bench.measurement.seconds))
        let tasks = ModelBenchmark.Task.matching(bench.measurement.filter)
        let rows = try benchmark.run(tasks, roundCount: rounds) { task, round in
            console.status("\(task.rawValue) (\(round + 1) of \(rounds))")
        }
        console.endProgress()
        let table = table(rows)
        let sentence =
            "\(Name.printable(path)): \(ModelBenchmark.writtenCount) tokens written, prompts of "
            + "\(benchmark.longPromptCount), batches of \(ModelBenchmark.batchCount), adapters of "
            + "rank \(ModelBenchmark.rank), \(workers.threadCount) threads."
        var report = ReportDocument(title: "quantize bench --model", summary: sentence)
        let caption = "Medians of \(rounds) runs in turn."
        report.append("Model", [.table(table, caption: caption)])
        return CommandResult(
            text: ([sentence, ""] + table.lines() + ["", caption]).joined(separator: "\n") + "\n",
            json: [
                "command": "bench",
                "threads": .integer(workers.threadCount),
                "rank": .integer(ModelBenchmark.rank),
                "rounds": .integer(rounds),
                "model": .array(rows.map { .object(json($0)) }),
            ],
            report: report
        )
    }

    /// What a task is compared with.
    private static func reference(of task: ModelBenchmark.Task) -> ModelBenchmark.Task {
        switch task {
        case .decode, .decodeInt8Head, .decodeNF4Head, .decodeAdapter: .decode
        case .decodeNF4HeadAdapter: .decodeNF4Head
        case .prompt, .promptInt8: .prompt
        case .batch, .batchOneAdapter: .batch
        case .batchFourAdapters: .batchOneAdapter
        }
    }

    private static func table(_ rows: [ModelBenchmark.Row]) -> TextTable {
        var table = TextTable(
            columns: [
                .text("task"), .number("tokens"), .number("tokens/s"), .number("ms"),
                .number("time beside"), .text("that of"),
            ]
        )
        for row in rows {
            let reference = reference(of: row.task)
            let other = rows.first { $0.task == reference }
            // Itself, or not measured.
            let isAlone = reference == row.task || other == nil
            table.rows.append([
                row.task.rawValue, "\(row.tokenCount)", Quantity.significant(row.rate, 3),
                Quantity.significant(row.seconds * 1e3, 3),
                other.map { isAlone ? "" : Quantity.decimal(row.seconds / $0.seconds, 2) } ?? "",
                isAlone ? "" : reference.rawValue,
            ])
        }
        return table
    }

    private static func json(_ row: ModelBenchmark.Row) -> JSONObject {
        [
            "task": .string(row.task.rawValue),
            "tokens": .integer(row.tokenCount),
            "seconds": .double(row.seconds),
            "tokens_per_second": .double(row.rate),
        ]
    }
}
