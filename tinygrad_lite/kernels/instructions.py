"""Constants of the instructions of a program, as csrc/kernels.h has them."""

__all__ = ["A_TRANSPOSED", "B_TRANSPOSED", "CONV_PARTS", "MAPS", "RELU"]

# Kinds that work element by element.
MAPS = ("ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "NEGATIVE", "ABS", "SQRT", "RELU_OF",
        "RELU_SLOPE", "SQUARED_DIFFERENCE", "EXP", "LOG", "TANH", "SIGMOID")

# Options of a matrix product.
A_TRANSPOSED, B_TRANSPOSED, RELU = 1, 2, 8

# Parts of a convolution that may be done side by side, each with columns of its own.
CONV_PARTS = 4
