import { defineConfig } from "vite";

// The page is served by `spikedaq scope` from the folder beside this one; every file of it comes from there.
export default defineConfig({
  base: "./",
  build: { outDir: "../page", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, sourcemap: false },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { proxy: { "/ws": { target: "ws://127.0.0.1:5580", ws: true }, "/api": "http://127.0.0.1:5580" } },
});
