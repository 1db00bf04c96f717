// Before the first paint, so that a dark page does not flash: the chosen colours, else the system's.
(function () {
  "use strict";
  let chosen = null;
  try {
    chosen = localStorage.getItem("geotoolz-theme");
  } catch (error) {
    // storage may be blocked: the system decides
  }
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : dark.matches ? "dark" : "light";
    document.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  window.switchTheme = () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("geotoolz-theme", chosen);
    } catch (error) {
      // kept for this page only
    }
    apply();
  };
  apply();
})();
