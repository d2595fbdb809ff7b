internal import CheckpointIO
internal import ModelBenchmarks
internal import Machine

/// What `bench --layers` says.
enum LayerBenchSummary {
    /// Measures, and tells.
    static func measured(_ bench: Bench, on console: Console) throws -> CommandResult {
        let workers = WorkerPool.shared(threadCount: bench.threads.count)
        let rows = try LayerBenchmark.run(
            seconds: 8 * bench.measurement.seconds,
            on: workers,
            progress: { console.status(name(of: $0)) }
        )
        console.endProgress()
        let table = table(rows)
        let sentence =
            "Adapters of rank \(LayerBenchmark.rank) on NF4 layers, bfloat16 products, "
            + "\(workers.threadCount) threads."
        var report = ReportDocument(title: "quantize bench --layers", summary: sentence)
        report.append("Layers", [.table(table, caption: "Medians of runs in turn.")])
        return CommandResult(
            text: ([sentence, ""] + table.lines()).joined(separator: "\n") + "\n",
            json: [
                "command": "bench",
                "rank": .integer(LayerBenchmark.rank),
                "threads": .integer(workers.threadCount),
                "layers": .array(rows.map { .object(json($0)) }),
            ],
            report: report
        )
    }

    private static func name(of task: LayerBenchmark.Task) -> String {
        "\(task.outputs) x \(task.inputs), \(task.rows) rows, "
            + (task.goesBack ? "forwards and backwards" : "forwards")
    }

    private static func table(_ rows: [LayerBenchmark.Row]) -> TextTable {
        var table = TextTable(
            columns: [
                .text("layer"), .text("with"), .number("ms"), .number("of bare"),
                .number("of LoRA"),
                .number("memory"), .number("of LoRA"),
            ]
        )
        for row in rows {
            func ratio(_ way: LayerBenchmark.Way, _ value: (LayerBenchmark.Row) -> Double) -> String
            {
                guard let other = rows.first(where: { $0.task == row.task && $0.way == way }) else {
                    return "-"
                }
                return Quantity.decimal(value(row) / value(other), 2)
            }
            table.rows.append([
                name(of: row.task), row.way.rawValue, Quantity.significant(row.seconds * 1e3, 3),
                ratio(.bare) { $0.seconds }, ratio(.lora) { $0.seconds },
                Quantity.bytes(row.byteCount), ratio(.lora) { Double($0.byteCount) },
            ])
        }
        return table
    }

    private static func json(_ row: LayerBenchmark.Row) -> JSONObject {
        [
            "outputs": .integer(row.task.outputs),
            "inputs": .integer(row.task.inputs),
            "rows": .integer(row.task.rows),
            "backward": .bool(row.task.goesBack),
            "with": .string(row.way.rawValue),
            "milliseconds": .double(row.seconds * 1e3),
            "bytes": .integer(row.byteCount),
        ]
    }
}
