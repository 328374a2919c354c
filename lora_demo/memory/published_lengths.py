"""The batch lengths assumed for the published PEFT runs, in this one place and the same for every method.

The runs (huggingface/peft, method_comparison/MetaMathQA) do not record how long their batches were. Buckets of twenty
batches are yielded from long to short and the cache is emptied every ten steps, so the longest batch starts in an
emptied cache right after the shortest batch of the bucket before. Those two lengths are inferred from the recorded
maxima of all open runs together.

The recorded maximum covers the evaluations between the steps too. They start on top of what the steps since the cache
was last emptied have left in it, a long batch among them. The bucket that the 99th percentile falls on is such a one:
with ten steps between two emptyings the percentile is reached by two buckets in a hundred. Its length is inferred
from the recorded 99th percentiles of all open runs together.

An evaluation generates at batch 50. The longest prompt of a batch is a round number; it decides nothing.
"""

BATCH = 4
SHORTEST_BEFORE = 200
LONGEST = 686
BEFORE_EVALUATION = 590
EVALUATED = 50
PROMPT = 200
