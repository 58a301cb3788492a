/** Stands in a trial's log once only the chat template is left to be tried. */
export const TEMPLATE_STAGE = "trial: chat template";
