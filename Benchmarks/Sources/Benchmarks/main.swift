import Foundation
import KernelBenchmarks

let usage = """
    usage: Benchmarks [--json] [--size N] [--threads N] [--seconds S] [--filter TEXT]

    Measures every kernel family and variant this processor can run, and the plain Swift
    references, beside the speed at which memory can be read. A filter selects rows whose
    name, for example quantize/nf4/float32/avx2, contains the text.

    """

func stop(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n" + usage).utf8))
    exit(64)
}

var options = BenchmarkOptions()
var printsJSON = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    func number<Value: LosslessStringConvertible & Comparable>(_ allowed: ClosedRange<Value>)
        -> Value
    {
        guard let value = arguments.popFirst().flatMap(Value.init), allowed.contains(value) else {
            stop("\(argument) takes a number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        return value
    }
    switch argument {
    case "--json": printsJSON = true
    case "--size": options.size = number(64...16384) / 64 * 64
    case "--threads": options.threadCount = number(1...1024)
    case "--seconds": options.seconds = number(0.001...60)
    case "--filter":
        guard let text = arguments.popFirst() else { stop("--filter takes a text") }
        options.filter = text
    case "--help", "-h":
        print(usage, terminator: "")
        exit(0)
    default: stop("unknown argument \(argument)")
    }
}

let report = try KernelBenchmark.run(options) { name in
    FileHandle.standardError.write(Data("\u{1B}[2K\r\(name)".utf8))
}
FileHandle.standardError.write(Data("\u{1B}[2K\r".utf8))
print(printsJSON ? report.json : report.text, terminator: "")
