"""Products with a 4-bit weight in OpenVINO and ONNX Runtime, for beside_products.py: prints seconds as JSON.

    python Benchmarks/product_peers.py openvino|onnxruntime ROWS...

Each runs in a process of its own, so that no other library's threads share its cores. For one row, weights take
turns, so that they come from memory.
"""
import itertools
import json
import statistics
import sys
import time

import numpy

SIZE = 4096
GROUP = 64
SECONDS = 0.3  # for each measurement
COPIES = 16  # of a weight, more than caches hold


def timed(calls):
    for call in calls:
        call()
    calls = itertools.cycle(calls)
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        call = next(calls)
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def openvino_layer(generator):
    """NF4 codes and 16-bit scales; the processor plug-in decompresses them inside the product."""
    import openvino
    from openvino import opset13 as op

    array = generator.integers(0, 256, SIZE * SIZE // 2, dtype=numpy.uint8)  # lives as long as the tensor
    codes = openvino.Tensor(array, openvino.Shape([SIZE, SIZE // GROUP, GROUP]), openvino.Type.nf4)
    scales = generator.random((SIZE, SIZE // GROUP, 1), dtype=numpy.float32).astype(numpy.float16)
    weight = op.multiply(op.convert(op.constant(codes, shared_memory=False), "f16"), op.constant(scales))
    weight = op.reshape(weight, op.constant(numpy.array([SIZE, SIZE])), False)
    x = op.parameter([-1, SIZE], numpy.float32)
    y = op.matmul(x, op.convert(weight, "f32"), False, True)
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 2, "ENABLE_CPU_PINNING": True,
               "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.compile_model(openvino.Model([y], [x]), "CPU", options).create_infer_request()
    return lambda rows: request.infer([rows], share_inputs=True, share_outputs=True)


def onnxruntime_layer(generator):
    """MatMulNBits: blocks of 64 with an even spacing of values, activations in int8 (accuracy level 4)."""
    import onnxruntime
    from onnx import TensorProto, helper

    codes = generator.integers(0, 256, (SIZE, SIZE // GROUP, GROUP // 2), dtype=numpy.uint8)
    scales = generator.random(SIZE * SIZE // GROUP, dtype=numpy.float32)
    node = helper.make_node("MatMulNBits", ["x", "codes", "scales"], ["y"], domain="com.microsoft", K=SIZE, N=SIZE,
                            bits=4, block_size=GROUP, accuracy_level=4)
    tensors = [helper.make_tensor("codes", TensorProto.UINT8, codes.shape, codes.tobytes(), raw=True),
               helper.make_tensor("scales", TensorProto.FLOAT, scales.shape, scales.tobytes(), raw=True)]
    graph = helper.make_graph([node], "product",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, SIZE])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, SIZE])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17),
                                                    helper.make_opsetid("com.microsoft", 1)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda rows: session.run(None, {"x": rows})


def main():
    make = {"openvino": openvino_layer, "onnxruntime": onnxruntime_layer}[sys.argv[1]]
    generator = numpy.random.default_rng(0)
    layers = [make(generator) for _ in range(COPIES)]
    seconds = {}
    for rows in map(int, sys.argv[2:]):
        x = generator.standard_normal((rows, SIZE), dtype=numpy.float32)
        own = layers if rows == 1 else layers[:1]
        seconds[rows] = timed([lambda layer=layer: layer(x) for layer in own])
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
