import CheckpointIO
import Foundation
import Machine
import Tensors

/// Writes a small checkpoint of three shards, one of them packed, with a journal.
///
/// Everything that can go wrong while writing, in a few milliseconds; for `Scripts/check-faults`.
///
///     OutputProbe DST [--force] [--resume] [--pause-milliseconds N]
@main
struct OutputProbe {
    static func main() {
        StopFlag.catchSignals()
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let destination = arguments.first else {
            FileHandle.standardError.write(Data("OutputProbe: no destination\n".utf8))
            exit(64)
        }
        let pause = arguments.firstIndex(of: "--pause-milliseconds")
            .flatMap { $0 + 1 < arguments.count ? UInt32(arguments[$0 + 1]) : nil }
        do {
            try write(
                to: destination,
                overwrite: arguments.contains("--force"),
                resume: arguments.contains("--resume"),
                pauseMilliseconds: pause ?? 0
            )
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            if let hint = error.hint {
                FileHandle.standardError.write(Data("hint: \(hint)\n".utf8))
            }
            exit(status(of: error))
        }
    }

    static func write(
        to destination: String,
        overwrite: Bool,
        resume: Bool,
        pauseMilliseconds: UInt32
    ) throws(CheckpointError) {
        let output = try OutputFolder(
            at: destination,
            sources: [],
            overwrite: overwrite,
            fingerprint: Fingerprint(toolVersion: "probe", options: []),
            resume: resume,
            workers: threads
        )
        let stop = StopFlag(followingSignals: true)
        do throws(CheckpointError) {
            for number in 1...3 {
                let name =
                    "model-0000\(number)-of-00003.safetensors"
                    + (number == 2 ? ".zst" : "")
                if output.isResumed(name) { continue }
                usleep(pauseMilliseconds * 1000)
                try stop.check()
                try shard(number, name: name, in: output)
            }
            try output.writeFile("config.json", Array("{}\n".utf8))
            let warnings = try output.commit()
            for warning in warnings { print("warning: \(warning)") }
        } catch {
            throw output.abandon(after: error) ?? error
        }
    }

    /// A shard of two tensors and one whose length shows at the end.
    static func shard(
        _ number: Int,
        name: String,
        in output: OutputFolder
    ) throws(CheckpointError) {
        let elementCount = 20_000 * number
        let layout = try SafetensorsLayout(
            tensors: [
                TensorDescription(name: "a.weight", dtype: .uint8, shape: [elementCount, 1]),
                TensorDescription(name: "b.weight", dtype: .bfloat16, shape: [elementCount]),
            ],
            lateTensors: [.init(name: "a.weight.state", maximumByteCount: 200)]
        )
        let raw = try output.createFile(
            number == 2 ? "unpacked" : name,
            byteCount: layout.maximumFileByteCount
        )
        let writer = SafetensorsWriter(layout, to: raw)
        let pieces = layout.entries.flatMap { entry in
            stride(from: 0, to: entry.byteRange.count, by: 30_000).map { start in
                (entry.description.name, start..<min(start + 30_000, entry.byteRange.count))
            }
        }
        for (tensor, range) in pieces {
            let bytes = range.map { UInt8(truncatingIfNeeded: ($0 &* $0) >> 5 &+ number) }
            try writer.write(bytes, of: tensor, at: range.lowerBound)
        }
        writer.setLateTensor("a.weight.state", to: Array(#"{"n": \#(number)}"#.utf8))
        try writer.finish()
        guard number == 2 else { return try output.finishAndRecord(raw) }
        let packed = try output.createFile(name)
        try ZstdWriter().pack(raw, boundaries: layout.boundaries, to: packed, workers: threads)
        try output.removeFile(raw)
        try output.finishAndRecord(packed)
    }

    static let threads = WorkerPool(threadCount: 2)

    static func status(of error: CheckpointError) -> Int32 {
        switch error.code.category {
        case .usage: 64
        case .badData: 65
        case .missingInput: 66
        case .unsupported: 69
        case .outputExists: 73
        case .inputOutput: 74
        case .stopped: 75
        case .interrupted: 130
        }
    }
}
