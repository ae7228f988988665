// Runs the network beside the page, so that the page answers meanwhile.
let ort, session;

onmessage = async ({ data }) => {
  try {
    if (data.runtime) {
      ort = await import(URL.createObjectURL(new Blob([data.runtime], { type: "text/javascript" })));
      ort.env.wasm.wasmBinary = data.wasm;
      ort.env.wasm.numThreads = 1; // more need headers that only a server can send
      session = await ort.InferenceSession.create(new Uint8Array(data.model), { executionProviders: ["wasm"] });
      postMessage({ ready: true });
    } else {
      const { image, known, size } = data;
      const given = {
        image: new ort.Tensor("float32", image, [1, size, size, 3]),
        known: new ort.Tensor("float32", known, [1, size, size, 1]),
      };
      postMessage({ prediction: (await session.run(given)).filled.data });
    }
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
