import CheckpointIO
import LoftQ
import Quant
import Tensors

// Times LoftQ on a matrix from a file, and prints one JSON object: seconds, and the error after each iteration.
//     LoftQBenchmark FILE TENSOR RANK ITERATIONS

let arguments = CommandLine.arguments
guard arguments.count == 5, let rank = Int(arguments[3]), let iterations = Int(arguments[4]) else {
    fatalError("LoftQBenchmark FILE TENSOR RANK ITERATIONS")
}
let weight = try Matrix(
    Name(arguments[2]),
    in: Checkpoint(at: arguments[1], options: .init(allowsAnyArchitecture: true))
)
let loftq = LoftQ(.nf4, rank: rank, iterationCount: iterations)
let clock = ContinuousClock()
let start = clock.now
let result = try loftq.quantized(weight)
let (seconds, attoseconds) = (clock.now - start).components
let errors = result.errors.map { "\($0)" }.joined(separator: ", ")
print(
    "{\"seconds\": \(Double(seconds) + Double(attoseconds) * 1e-18), \"plain\": \(result.plainError), "
        + "\"errors\": [\(errors)]}"
)
