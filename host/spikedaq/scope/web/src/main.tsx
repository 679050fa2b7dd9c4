import "uplot/dist/uPlot.min.css";
import "./style.css";
import { render } from "preact";
import { App } from "./app";
import { connection } from "./state";

connection.start();
render(<App />, document.getElementById("app")!);
