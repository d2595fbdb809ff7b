import Foundation
import KernelBenchmarks

let usage = """
    usage: Benchmarks [--json] [--size N] [--threads N] [--seconds S] [--filter TEXT]

    Measures every kernel family and variant this processor can run, and the plain Swift
    references, beside the limits of the machine. A filter selects rows whose
    name, for example quantize/nf4/float32/avx2, contains the text.

    """

func stop(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n" + usage).utf8))
    exit(64)
}

/// Returns the number that a text stands for, or stops.
func number<Value: LosslessStringConvertible & Comparable>(
    _ text: String,
    _ allowed: ClosedRange<Value>
) -> Value {
    guard let value = Value(text), allowed.contains(value) else {
        stop("'\(text)' is no number from \(allowed.lowerBound) to \(allowed.upperBound)")
    }
    return value
}

let takesNoValue: Set = ["--json", "--help", "-h"]
var options = BenchmarkOptions(allVariants: true)
var printsJSON = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    let text = takesNoValue.contains(argument) ? "" : arguments.popFirst() ?? ""
    switch argument {
    case "--json": printsJSON = true
    case "--size": options.size = number(text, 64...16384) / 64 * 64
    case "--threads": options.threadCount = number(text, 1...1024)
    case "--seconds": options.seconds = number(text, 0.001...60)
    case "--filter": options.filter = text
    case "--help", "-h":
        print(usage, terminator: "")
        exit(0)
    default: stop("unknown argument \(argument)")
    }
}

let showsProgress = isatty(STDERR_FILENO) == 1
let eraseLine = "\u{1B}[2K\r"
let report = try KernelBenchmark.run(options) { name in
    if showsProgress { FileHandle.standardError.write(Data((eraseLine + name).utf8)) }
}
if showsProgress { FileHandle.standardError.write(Data(eraseLine.utf8)) }
print(printsJSON ? report.json : report.text, terminator: "")
