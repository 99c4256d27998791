/* A slider beside each number field that asks for one (`data-slider`): both move together, the field is what is sent. */
(() => {
  "use strict";
  document.querySelectorAll("input[data-slider]").forEach((field) => {
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: field.min, max: field.max, value: field.value || field.min, className: "slider" });
    slider.setAttribute("aria-label", document.querySelector(`label[for="${field.id}"]`)?.textContent.trim() ?? "");
    slider.addEventListener("input", () => { field.value = slider.value; });
    field.addEventListener("input", () => { slider.value = field.value; });
    field.before(slider);
  });
})();
